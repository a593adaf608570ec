"""Rules of those who count: judged over the stored rows, told by signed webhooks when they begin and end to hold."""
