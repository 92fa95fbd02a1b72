// Command flow reproduces machine-learning pipelines and serves what they make.
package main

import (
	"github.com/flowrepro/flow/cmd"
	"github.com/flowrepro/flow/stages/builtin"
)

func main() { cmd.Main(builtin.Stages()) }
