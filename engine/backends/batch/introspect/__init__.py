"""What people may ask about AWS Batch; nothing here ever holds up a task."""
