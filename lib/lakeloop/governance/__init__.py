"""What a data engineer asks of the lakehouse: is every row there, what was kept out, who made what, and from what."""
