// Package suite only keeps the conformance suite of HTTP/2 among the requirements, so that `go mod vendor` takes it.
package suite

import (
	_ "github.com/summerwind/h2spec/generic"
	_ "github.com/summerwind/h2spec/hpack"
	_ "github.com/summerwind/h2spec/http2"
)
