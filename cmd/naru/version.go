package main

import (
	"fmt"
	"runtime/debug"

	"naru/seal"
)

type versionCmd struct{}

func (versionCmd) Run() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("this build does not know its version")
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " with changes"
		}
	}
	fmt.Printf("naru %s, revision %s%s, %s, RSA by %s\n", info.Main.Version, revision, dirty, info.GoVersion, seal.RSA())
	return nil
}
