"""Doctor: examines whether everything is well that jobs need, one module a subject."""
