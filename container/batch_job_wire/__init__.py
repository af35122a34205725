"""What manager and runner tell each other: terms, names, and the form of payloads and results.

Both import these modules, the runner as `batch_job_wire`, the engine as `container.batch_job_wire`: what one of them
needs of another it imports relatively, and nothing else of ours.
"""
