"""Jobs for tables: order, selection, cells, and the facts of one job."""
