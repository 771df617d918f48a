# Build the wheel.
FROM python:3.12 AS build
WORKDIR /src
COPY . .
RUN pip wheel . -w /dist

# Run it.
FROM python:3.12-slim AS run
COPY --from=build /dist /dist
RUN pip install /dist/*.whl
ENTRYPOINT ["memo"]
