"""The files beside the database in which launches are durable before it has them."""
