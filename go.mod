module github.com/pandobase/pando

go 1.26
