"""One index shared by many threads and an asyncio loop that do everything at once."""
