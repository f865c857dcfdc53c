"""The server is killed again and again under load, and at the end every event must have been delivered."""
