"""Jobs of the local AWS in real containers: an executor for a Docker engine, and a registry in ECR's place."""
