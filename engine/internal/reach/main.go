// Command reach exits with status 0 if an HTTP server answers at the URL given as its argument.
package main

import (
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	answer, err := client.Head(os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	_ = answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		os.Exit(1)
	}
}
