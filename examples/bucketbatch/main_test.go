package main

import (
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
)

func TestFromBucketToBucketAndAgainWithoutPayingTwice(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("SCRIPTIX_API_KEY", "")
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	client := s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	address := func(bucket string) string {
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
		require.NoError(t, err)
		return "s3://" + bucket + "?region=eu-west-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
	}
	in, out := address("calls"), address("transcripts")
	source, err := blob.OpenBucket(t.Context(), in)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, source.Close()) })
	meeting, err := os.ReadFile("../testdata/meeting.wav")
	require.NoError(t, err)
	for name, data := range map[string][]byte{"mon/call.wav": meeting, "tue/call.wav": meeting[:len(meeting)/2], "notes.txt": []byte("not a recording")} {
		require.NoError(t, source.WriteAll(t.Context(), name, data, nil))
	}
	ledger := filepath.Join(t.TempDir(), "night.db")

	require.NoError(t, run(t.Context(), in, out, ledger, "en"))

	target, err := blob.OpenBucket(t.Context(), out)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, target.Close()) })
	written, _, err := target.ListPage(t.Context(), blob.FirstPageToken, 10, nil)
	require.NoError(t, err)
	assert.Len(t, written, 2, "one for each recording, though both are called call.wav")
	for _, object := range written {
		data, err := target.ReadAll(t.Context(), object.Key)
		require.NoError(t, err)
		assert.Contains(t, string(data), `"segments"`)
		require.NoError(t, target.Delete(t.Context(), object.Key))
	}

	require.NoError(t, run(t.Context(), in, out, ledger, "en"), "again")
	written, _, err = target.ListPage(t.Context(), blob.FirstPageToken, 10, nil)
	require.NoError(t, err)
	assert.Empty(t, written, "nothing was sent a second time")
}
