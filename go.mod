module github.com/scriptix-io/scriptix-go

go 1.26.0
