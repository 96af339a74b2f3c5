package store_test
func fill(dir string) int { return 0 }
