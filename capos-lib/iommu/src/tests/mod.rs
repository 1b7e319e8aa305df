mod amd;
mod intel;
mod machine;
mod tables;
