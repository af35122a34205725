"""Jobs in flight until their results are delivered: polling, results, failures, cancels, cleaning."""
