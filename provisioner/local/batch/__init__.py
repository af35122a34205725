"""The local AWS Batch: resources, the life of jobs, and the calls that show and change both."""
