"""From collected tasks to an accepted job: window, payload route, write-ahead, SubmitJob."""
