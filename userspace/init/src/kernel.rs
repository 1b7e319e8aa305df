//! The kernel's objects, as init holds them.

use alloc::vec::Vec;
use rt::generated::{
    BootPackageClient, DeviceManagerClient, EndpointFactoryClient, InterruptControllerClient, IoPortClient,
    ProcessSpawnerClient, SystemInfoClient, TimerClient,
};
use rt::{Cap, CapId, Env, EnvError, Lent};

/// What init itself calls, and everything it can pass on by name.
pub struct Kernel {
    pub boot: BootPackageClient,
    pub spawner: ProcessSpawnerClient,
    pub system: SystemInfoClient,
    pub timer: TimerClient,
    pub devices: DeviceManagerClient,
    pub ports: IoPortClient,
    pub lines: InterruptControllerClient,
    endpoints: Cap,
    objects: Vec<(&'static str, u64, Cap)>,
}

impl Kernel {
    /// Sorts what the kernel gave. The clients name the same entries as the objects; both live as long as init.
    pub fn take(mut env: Env) -> Result<Kernel, EnvError> {
        let objects: Vec<_> = env
            .granted()
            .map(|granted| (granted.name, granted.interface, Cap::from_id(granted.id)))
            .collect();
        Ok(Kernel {
            boot: env.client("boot")?,
            spawner: env.client("spawner")?,
            system: env.client("system")?,
            timer: env.client("timer")?,
            devices: env.client("devices")?,
            ports: env.client("io_ports")?,
            lines: env.client("irqs")?,
            endpoints: Cap::from_id(CapId::SELF_ENDPOINTS),
            objects,
        })
    }

    /// Makes endpoints.
    pub fn endpoints(&self) -> Lent<'_, EndpointFactoryClient> {
        Lent::of(&self.endpoints)
    }

    /// An object by its name in the manifest, with its interface.
    pub fn object(&self, name: &str) -> Option<(u64, &Cap)> {
        let found = self.objects.iter().find(|(known, _, _)| *known == name);
        found.map(|(_, interface, cap)| (*interface, cap))
    }
}
