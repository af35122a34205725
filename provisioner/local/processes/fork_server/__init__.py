"""The fork server: a script that runs jobs, and that a user's code shares its process with.

Nothing of ours may be imported there, nor stand on its path before what a user has: a user's own `engine` or
`console` must win. So `script.py` is started by its path and loads the rest of this folder under one name that is
nobody else's, and the modules here import each other relatively, and besides that only what a job's image has: the
standard library, boto3 and cloudpickle. The local AWS and the console import `framing` and `process_tree` as usual.
"""
