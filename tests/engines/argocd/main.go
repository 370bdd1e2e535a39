// The sidecar of Argo CD for the tests: `argocd-cmp-server` as its release has it, and what the repo-server asks it.
//
//	cmp-server [flags]                   the server, as `argocd-cmp-server [flags]`
//	cmp-server call SOCKET < requests    asks the server at a socket; one JSON request a line, one JSON answer a line
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"

	server "github.com/argoproj/argo-cd/v3/cmd/argocd-cmp-server/commands"
	"github.com/argoproj/argo-cd/v3/cmpserver/apiclient"
	"github.com/argoproj/argo-cd/v3/util/cmp"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "call" {
		if err := call(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := server.NewCommand().Execute(); err != nil {
		os.Exit(1)
	}
}

// What the repo-server asks for one Application.
type request struct {
	// A method of ConfigManagementPluginService.
	Method string `json:"method"`
	// The repository as it is checked out, and the Application's folder below it.
	Root string `json:"root"`
	App  string `json:"app"`
	// Variables, `NAME=VALUE`.
	Env []string `json:"env"`
	// As in reposerver.plugin.tar.exclusions.
	Exclude []string `json:"exclude"`
	// Until when the repo-server waits.
	Seconds float64 `json:"seconds"`
}

// One of the two is null.
type answer struct {
	Response any     `json:"response"`
	Error    *string `json:"error"`
}

func call(socket string) error {
	closer, client, err := apiclient.NewConfigManagementPluginClientSet(socket).NewConfigManagementPluginClient()
	if err != nil {
		return err
	}
	defer closer.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		var given answer
		if response, err := ask(client, asked); err != nil {
			text := err.Error()
			given.Error = &text
		} else {
			given.Response = response
		}
		if err := answers.Encode(given); err != nil {
			return err
		}
	}
	return lines.Err()
}

func ask(client apiclient.ConfigManagementPluginServiceClient, asked request) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(asked.Seconds*float64(time.Second)))
	defer cancel()
	send := func(stream cmp.StreamSender) error {
		return cmp.SendRepoStream(ctx, filepath.Join(asked.Root, asked.App), asked.Root, stream, asked.Env, asked.Exclude)
	}
	switch asked.Method {
	case "CheckPluginConfiguration":
		return client.CheckPluginConfiguration(ctx, &emptypb.Empty{})
	case "MatchRepository":
		stream, err := client.MatchRepository(ctx)
		if err != nil {
			return nil, err
		}
		if err := send(stream); err != nil {
			return nil, err
		}
		return stream.CloseAndRecv()
	case "GetParametersAnnouncement":
		stream, err := client.GetParametersAnnouncement(ctx)
		if err != nil {
			return nil, err
		}
		if err := send(stream); err != nil {
			return nil, err
		}
		return stream.CloseAndRecv()
	case "GenerateManifest":
		stream, err := client.GenerateManifest(ctx)
		if err != nil {
			return nil, err
		}
		if err := send(stream); err != nil {
			return nil, err
		}
		return stream.CloseAndRecv()
	}
	return nil, fmt.Errorf("no method %q", asked.Method)
}
