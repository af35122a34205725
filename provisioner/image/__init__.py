"""Image that jobs run in: what goes into it, the builder, and the way to ECR."""
