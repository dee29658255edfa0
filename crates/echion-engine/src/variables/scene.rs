//! Everything that conditions and templates may ask beside the configuration: the resource, the project, the clock, the repository.
