"""AWS Batch as an `HPCBackend`: submissions out, results back, everything through S3 and job names."""
