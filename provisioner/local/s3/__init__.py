"""S3: the hot calls on our own, bucket policies, the rest through moto."""
