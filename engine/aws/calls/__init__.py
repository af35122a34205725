"""Parts of the client: operations and their lanes, the guard in the thread, and what the engine waits for."""
