"""Say how much of what is asked, held and used. Knows accounts, resources and limits, never jobs."""
