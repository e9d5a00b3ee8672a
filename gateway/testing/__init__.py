"""Ship stateful fakes and builders that pass the same contracts as the real parts."""
