// The conformance suite of HTTP/2 against a server with TLS: h2spec PORT PATH. Each line of its output after a blank
// one is a case: "passed", "skipped" or what came instead, a tab, and its name.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

func outcome(result *spec.TestResult) string {
	switch {
	case result.Skipped:
		return "skipped"
	case !result.Failed:
		return "passed"
	}
	if err, ok := result.Error.(*spec.TestError); ok {
		return "not " + strings.Join(err.Expected, " or ") + " but " + err.Actual
	}
	return result.Error.Error()
}

func report(group *spec.TestGroup) {
	for _, test := range append(group.Tests, group.StrictTests...) {
		if test.Result != nil {
			fmt.Printf("%s\t%s: %s\n", outcome(test.Result), group.ID(), test.Desc)
		}
	}
	for _, inner := range group.Groups {
		report(inner)
	}
}

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	target := &config.Config{Host: "127.0.0.1", Port: port, Path: os.Args[2], Timeout: 6 * time.Second, MaxHeaderLen: 4000,
		Strict: true, TLS: true, Insecure: true}
	groups := []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()}
	for _, group := range groups {
		group.Test(target)
	}
	fmt.Println()
	for _, group := range groups {
		report(group)
	}
}
