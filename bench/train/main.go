package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	var err error
	switch os.Args[1] {
	case "prepare":
		err = prepare(context.Background(), os.Args[2], os.Args[3], nil)
	case "fit":
		err = fit(context.Background(), os.Args[2], os.Args[3], os.Args[4:])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
