"""The jobs that tables show: order, selection, cells, and the facts of one job."""
