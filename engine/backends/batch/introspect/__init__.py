"""Answers for viewers about AWS Batch; nothing here ever holds up a task."""
