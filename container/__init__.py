"""The job's side: runner, contract with the manager, frame format, Dockerfile. Imports nothing of ours."""
