"""What is read of AWS, one module a subject: each takes the evidence so far and gives it back with one fact more."""
