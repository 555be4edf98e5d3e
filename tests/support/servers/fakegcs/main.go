// A fake of Google Cloud Storage for tests: fake-gcs-server, and in front of it the part of the XML API that it lacks,
// as the client of the stores speaks it: conditional PUT, and the error codes of a bucket that is not there.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	flag.Parse()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: *address})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*address, xmlFront(server.HTTPHandler())))
}

func xmlFront(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket, object, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch {
		case bucket == "storage" || bucket == "upload":
			next.ServeHTTP(w, r)
		case !exists(next, bucket):
			fail(w, http.StatusNotFound, "NoSuchBucket")
		case r.Method == http.MethodPut && object != "":
			put(next, w, r, bucket, object)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func exists(next http.Handler, bucket string) bool {
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/storage/v1/b/"+url.PathEscape(bucket), nil))
	return answer.Code == http.StatusOK
}

// put hands an upload of the XML API on as one of the JSON API.
func put(next http.Handler, w http.ResponseWriter, r *http.Request, bucket, object string) {
	query := url.Values{"uploadType": {"media"}, "name": {object}}
	if generation := r.Header.Get("x-goog-if-generation-match"); generation != "" {
		query.Set("ifGenerationMatch", generation)
	}
	upload := httptest.NewRequest(
		http.MethodPost, "/upload/storage/v1/b/"+url.PathEscape(bucket)+"/o?"+query.Encode(), r.Body)
	upload.ContentLength = r.ContentLength
	upload.Header = r.Header
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, upload)
	if answer.Code == http.StatusPreconditionFailed {
		fail(w, answer.Code, "PreconditionFailed")
		return
	}
	var stored struct{ Etag, Generation string }
	if err := json.Unmarshal(answer.Body.Bytes(), &stored); answer.Code != http.StatusOK || err != nil {
		fail(w, answer.Code, "InternalError")
		return
	}
	w.Header().Set("ETag", stored.Etag)
	w.Header().Set("x-goog-generation", stored.Generation)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code></Error>", code)
}
