//! Who has the others begin, kills two of them, and looks what is left.

use super::{GO, PAUSE_NS, Player, done};
use crate::after::names_of;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use probe::{Fields, options};
use rt::generated::{DirectoryClient, ServicesClient, VolumeClient};
use rt::schema::directory::Creation;
use rt::{CallError, Env, EnvError};

/// For whose quota the hostile one counts.
const DOMAIN: u32 = 9;
/// What it may have.
const BLOCKS: u64 = 64;
const OBJECTS: u64 = 40;
/// Looks until what was held on behalf of the dead is gone.
const PATIENCE: u32 = 1000;

/// What it is given, and who they are.
struct Lead {
    volume: VolumeClient,
    services: ServicesClient,
    members: Vec<&'static str>,
    victim: &'static str,
    hostile: &'static str,
}

impl Lead {
    fn new(env: &mut Env) -> Result<Lead, EnvError> {
        let text = |name| options::text(env, name).unwrap_or("");
        let (members, victim, hostile) =
            (text("members").split(',').collect(), text("victim"), text("hostile"));
        Ok(Lead {
            members,
            victim,
            hostile,
            volume: env.client("volume")?,
            services: env.client("services")?,
        })
    }
}

/// To the end.
pub async fn lead(player: &Player, env: &mut Env) -> Result<(), CallError> {
    let Ok(lead) = Lead::new(env) else { return Ok(()) };
    let place = player.place().await?;
    let own = place.open_directory(Creation::Always, true, lead.hostile).await?;
    lead.volume.set_quota(DOMAIN, BLOCKS, OBJECTS).await?;
    lead.volume.assign(&own, DOMAIN).await?;
    drop(own);
    player.say(&place, GO).await?;
    player.see(&place, &done(lead.victim)).await?;
    lead.services.kill(lead.victim).await?;
    player.see(&place, &done(lead.hostile)).await?;
    for member in &lead.members {
        player.see(&place, &done(member)).await?;
    }
    lead.services.kill(lead.hostile).await?;
    let used = lead.volume.quota(DOMAIN).await?;
    let is_kept = used.blocks <= BLOCKS && used.objects <= OBJECTS;
    player.report.check("a quota holds", is_kept, format!("{} {}", used.blocks, used.objects));
    drop(place);
    settled(player, &lead.volume).await?;
    let found = lead.volume.check(0).await?.finding;
    player.report.equal("nothing is wrong on the disk", found, String::new());
    player.root.sync().await
}

/// There are as many objects as can be found: nobody holds anything for those who are gone.
async fn settled(player: &Player, volume: &VolumeClient) -> Result<(), CallError> {
    // The root, and the place of all.
    let found = 2 + below(&player.place().await?).await?;
    let mut objects = volume.space().await?.objects;
    for _ in 0..PATIENCE {
        if objects == found {
            break;
        }
        player.timer.sleep_until(player.timer.now().await?.saturating_add(PAUSE_NS)).await?;
        objects = volume.space().await?.objects;
    }
    player.report.equal("nothing is held for the dead", objects, found);
    player.report.event("files.crowd", Fields::new().value("objects", objects));
    Ok(())
}

/// Everything in a directory, and in those in it.
async fn below(place: &DirectoryClient) -> Result<u64, CallError> {
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = place.list(&after).await?;
        for name in names_of(&page.records) {
            count += 1;
            if let Ok(inside) = place.open_directory(Creation::Existing, false, &name).await {
                count += inside.info().await?.entries;
            }
            after = name;
        }
        if page.end {
            return Ok(count);
        }
    }
}
