package main

import "os"

func createOne(path string, data []byte) error { return os.WriteFile(path, data, 0o666) }
