"""The image that jobs run in: what goes into it, the container engine that builds it, and the way to ECR."""
