"""What people do with a message: opens, clicks, unsubscribes; told apart from what machines do."""
