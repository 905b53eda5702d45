// Command probe is what the self-test runs in a pod.
//
//	probe NAME...   logs what DNS answers for each name, then serves HTTP
//	probe get URL   prints what a server answers
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "get" {
		get(os.Args[2])
		return
	}
	for _, name := range os.Args[1:] {
		addresses, err := net.LookupHost(name)
		fmt.Println("lookup", name, addresses, err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from", os.Getenv("HOSTNAME"))
	})
	exitOn(http.ListenAndServe(":8080", nil))
}

func get(url string) {
	response, err := http.Get(url)
	exitOn(err)
	_, err = io.Copy(os.Stdout, response.Body)
	exitOn(err)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
