"""What every adapter that speaks HTTP says in the same words: problems, timings, retries."""
