//go:build interop

package cluster

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tools(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("FLOW_TEST_CLUSTER")
	if dir == "" && os.Getenv("CI") == "true" {
		t.Fatal("FLOW_TEST_CLUSTER does not name the directory of the API server")
	}
	if dir == "" {
		t.Skip("FLOW_TEST_CLUSTER does not name the directory of the API server")
	}
	return dir
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

func start(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
	check(t, err)
	c := exec.Command(program, args...)
	c.Dir, c.Stdout, c.Stderr = dir, log, log
	check(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		done := time.AfterFunc(10*time.Second, func() { _ = c.Process.Kill() })
		_ = c.Wait()
		done.Stop()
		log.Close()
	})
}

// api is a running API server.
type api struct {
	url, token string
	client     *http.Client
}

func startAPI(t *testing.T) *api {
	t.Helper()
	bin, dir := tools(t), t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "sa.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600))
	a := &api{token: rand.Text(), client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // its certificate was made a moment ago, for this machine
	}}}
	check(t, os.WriteFile(filepath.Join(dir, "tokens.csv"), []byte(a.token+`,admin,admin,"system:masters"`+"\n"), 0o600))
	store, peer, address := freeAddress(t), freeAddress(t), freeAddress(t)
	start(t, dir, filepath.Join(bin, "etcd"), "--data-dir=etcd", "--unsafe-no-fsync", "--listen-client-urls=http://"+store,
		"--advertise-client-urls=http://"+store, "--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer, "--initial-cluster=default=http://"+peer)
	_, port, _ := net.SplitHostPort(address)
	start(t, dir, filepath.Join(bin, "kube-apiserver"), "--etcd-servers=http://"+store, "--bind-address=127.0.0.1", "--secure-port="+port,
		"--cert-dir=certs", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=sa.key", "--service-account-signing-key-file=sa.key",
		"--token-auth-file=tokens.csv", "--authorization-mode=RBAC")
	a.url = "https://" + address
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if _, err = a.do(http.MethodGet, "/readyz", nil); err == nil {
			return a
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(dir, "kube-apiserver.log"))
			t.Fatalf("the API server is not ready: %v\n%s", err, log[max(0, len(log)-2000):])
		}
	}
}

// do sends a request, and returns the warnings of the answer.
func (a *api) do(method, path string, body any) ([]string, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(method, a.url+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	header, _, err := a.send(r)
	return header.Values("Warning"), err
}

// send sends a request with the administrator's token.
func (a *api) send(r *http.Request) (http.Header, []byte, error) {
	r.Header.Set("Authorization", "Bearer "+a.token)
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", answer.Status, said)
	}
	return answer.Header, said, err
}

var resources = map[string]string{
	"ServiceAccount": "/api/v1/namespaces/flow/serviceaccounts", "ConfigMap": "/api/v1/namespaces/flow/configmaps", "Service": "/api/v1/namespaces/flow/services",
	"Deployment": "/apis/apps/v1/namespaces/flow/deployments", "StatefulSet": "/apis/apps/v1/namespaces/flow/statefulsets",
	"CronJob":                 "/apis/batch/v1/namespaces/flow/cronjobs",
	"PersistentVolumeClaim":   "/api/v1/namespaces/flow/persistentvolumeclaims",
	"ServiceMonitor":          "/apis/monitoring.coreos.com/v1/namespaces/flow/servicemonitors",
	"PrometheusRule":          "/apis/monitoring.coreos.com/v1/namespaces/flow/prometheusrules",
	"HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/flow/horizontalpodautoscalers",
	"PodDisruptionBudget":     "/apis/policy/v1/namespaces/flow/poddisruptionbudgets",
	"NetworkPolicy":           "/apis/networking.k8s.io/v1/namespaces/flow/networkpolicies",
}

// create validates an object as the server would before it stored it. A warning
// is an error: Pod Security gives one for what it would refuse.
func (a *api) create(object map[string]any) error {
	kind, _ := object["kind"].(string)
	path, ok := resources[kind]
	if !ok {
		return fmt.Errorf("no path for %s", kind)
	}
	warnings, err := a.do(http.MethodPost, path+"?dryRun=All&fieldValidation=Strict", object)
	if err == nil && len(warnings) > 0 {
		err = errors.New(strings.Join(warnings, "; "))
	}
	return err
}

// render builds a directory of manifests, or a stack of them.
func render(t *testing.T, dir string) []byte {
	t.Helper()
	c := exec.Command(filepath.Join(tools(t), "kustomize"), "build", dir)
	var fault bytes.Buffer
	c.Stderr = &fault
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", dir, err, fault.String())
	}
	return out
}

// objects are those of a stream of YAML.
func objects(t *testing.T, stream []byte) (list []map[string]any) {
	t.Helper()
	for d := yaml.NewDecoder(bytes.NewReader(stream)); ; {
		var object map[string]any
		if err := d.Decode(&object); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, object)
	}
}

// overlays are the directories that can be applied.
func overlays(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("../../k8s/overlays/*")
	check(t, err)
	if len(list) < 3 {
		t.Fatalf("overlays: %q", list)
	}
	return list
}

// The API server accepts each object of each overlay, in a namespace that
// enforces the restricted Pod Security standard.
func TestOverlays(t *testing.T) {
	a := startAPI(t)
	namespace := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "flow", "labels": map[string]any{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}}
	_, err := a.do(http.MethodPost, "/api/v1/namespaces", namespace)
	check(t, err)
	a.define(t)
	for _, overlay := range append(overlays(t), "../../monitoring") {
		t.Run(filepath.Base(overlay), func(t *testing.T) {
			out := render(t, overlay)
			workloads := filepath.Base(overlay) != "monitoring"
			if workloads && (bytes.Contains(out, []byte("image: flow\n")) || !bytes.Contains(out, []byte("/flow:"))) {
				t.Error("the overlay does not set the image")
			}
			list := objects(t, out)
			if len(list) < 3 || workloads && len(list) < 8 {
				t.Errorf("%d objects", len(list))
			}
			for _, object := range list {
				if object["kind"] == "Namespace" {
					continue
				}
				if err := a.create(object); err != nil {
					t.Errorf("%s: %v", object["kind"], err)
				}
				if spec, ok := object["spec"].(map[string]any); ok {
					// The check can fail.
					spec["replicaz"] = 1
					if a.create(object) == nil {
						t.Errorf("%s: an unknown field is accepted", object["kind"])
					}
				}
			}
		})
	}
}

// The monitor finds the service of the servers and no other.
func TestMonitorSelects(t *testing.T) {
	var selector map[string]any
	for _, o := range objects(t, render(t, "../../monitoring")) {
		if o["kind"] == "ServiceMonitor" {
			selector = at(o, "spec", "selector", "matchLabels")
		}
	}
	if len(selector) == 0 {
		t.Fatal("the monitor selects everything")
	}
	for _, overlay := range overlays(t) {
		var found []string
		for _, o := range objects(t, render(t, overlay)) {
			if o["kind"] != "Service" {
				continue
			}
			labels, matches := at(o, "metadata", "labels"), true
			for k, v := range selector {
				matches = matches && labels[k] == v
			}
			if matches {
				found = append(found, fmt.Sprint(at(o, "metadata")["name"]))
			}
		}
		if len(found) != 1 || found[0] != "flow" {
			t.Errorf("%s: the monitor selects %q", overlay, found)
		}
	}
}
