"""AWS Batch as we play it: resources, the life of jobs, and the calls that show and change both."""
