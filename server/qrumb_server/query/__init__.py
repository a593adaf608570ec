"""The read side: SQL for the commands, receipts and reports for everybody."""
