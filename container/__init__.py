"""What runs inside the job: the runner script, the frame format, the Dockerfile. Imports nothing of ours."""
