terraform {
  required_version = ">= 1.5"
}

# Where it runs.
variable "region" {
  type    = string
  default = "eu-west-1"
}

resource "aws_s3_bucket" "backup" {
  bucket = "backup"
}

locals {
  name = "shop"
}
