module github.com/scriptix-io/scriptix-go/bench

go 1.26.0

require (
	github.com/google/go-github/v92 v92.0.0
	github.com/scriptix-io/scriptix-go v0.0.0
	github.com/stripe/stripe-go/v85 v85.0.0
)

require github.com/google/go-querystring v1.2.0 // indirect

replace github.com/scriptix-io/scriptix-go => ../
