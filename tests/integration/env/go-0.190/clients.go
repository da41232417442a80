// Package sdk only keeps the two client modules among the requirements, so that `go mod vendor` takes them.
package sdk

import (
	_ "github.com/daytonaio/daytona/libs/api-client-go"
	_ "github.com/daytonaio/daytona/libs/toolbox-api-client-go"
)
